# names, each change with cold caches: all that it reads is read in it
mkdir /a 0755
mkdir /a/d 0755
mknod /a/f f 0644
mknod /a/g f 0644
symlink a-target-that-is-longer-than-what-fits-into-the-inode-itself-and-so-lies-in-a-block /a/s
umount
mount
rename /a/f /b
umount
mount
rename /b /a/g
umount
mount
link /a/g /c
umount
mount
rename /a/d /d
umount
mount
rename /a/s /d exchange
umount
mount
unlink /c
umount
mount
unlink /d
umount
mount
rmdir /a/s
umount
mount
truncate /a/g 100000
umount
mount
rename /a/g /a/h whiteout
umount
mount
unlink /a/h
