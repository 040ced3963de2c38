# names of every kind made, renamed and removed
mkdir /a 0755
mkdir /b 02777
open fd=1 /a/f O_CREAT|O_RDWR 0644
write fd=1 len=5000 fill=f
fsync fd=1
close fd=1
link /a/f /b/g
symlink target /a/short
symlink len=700 /b/long
readlink /a/short
readlink /b/long
mknod /a/fifo p 0644
mknod /b/device b 0600 300 70000
open fd=2 /a O_TMPFILE|O_RDWR 0600
write fd=2 len=3000 fill=t
flink fd=2 /a/shown
close fd=2
open fd=3 /b O_TMPFILE|O_RDWR|O_EXCL 0600
write fd=3 len=3000 fill=u
rename /a/f /a/plain
rename /a/plain /b/g
open fd=4 /a/over O_CREAT|O_RDWR 0644
write fd=4 len=6000 fill=o
close fd=4
rename /a/over /a/shown
rename /a/shown /b/long exchange
mkdir /a/d 0755
mkdir /a/d/e 0755
mkdir /b/empty 0755
rename /a/d /b/empty
rename /b/empty /a/fifo exchange
rename /a/fifo/e /b/e
rename /b/device /a/white whiteout
syncfs
close fd=3
unlink /b/long
unlink /a/shown
unlink /a/short
rmdir /b/e
readdir /a
syncfs
