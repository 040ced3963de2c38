# each operation once, on a file system that was just mounted
mkdir /d 0755
open fd=1 /d/a O_CREAT|O_RDWR 0644
write fd=1 len=20000 fill=pat:1
fsync fd=1
pwrite fd=1 off=1M len=5000 fill=pat:2
fdatasync fd=1
pwrite fd=1 off=300K len=100K fill=pat:3
sync_file_range fd=1 off=0 len=0
pread fd=1 off=0 len=300K
lseek fd=1 off=0 whence=data
lseek fd=1 off=100K whence=hole
fiemap fd=1
fstat fd=1
stat /d/a
access /d/a
ftruncate fd=1 len=10000
syncfs
open fd=2 /d/b O_CREAT|O_WRONLY|O_EXCL 0600
write fd=2 len=64K fill=x
close fd=2
truncate /d/b 100
chmod /d/b 0640
open fd=3 /d/sync O_CREAT|O_WRONLY|O_SYNC 0600
write fd=3 len=8K fill=y
close fd=3
readdir /d
mkdir /d/e 0755
rmdir /d/e
open fd=4 /d/gone O_CREAT|O_RDWR 0600
write fd=4 len=40000 fill=z
unlink /d/gone
write fd=4 len=40000 fill=z
close fd=4
unlink /d/b
sleep 6000
open fd=5 /d/a O_WRONLY|O_TRUNC
close fd=5
statfs /
sleep 40000
close fd=1
remount ro
remount rw
umount
mount
readdir /d
