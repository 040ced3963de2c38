# what is done to the file system as a whole, between changes
mkdir /d 0755
open fd=1 /d/a O_CREAT|O_RDWR 0644
write fd=1 len=40000 fill=pat:1
freeze
pread fd=1 off=0 len=1000
thaw
remount discard
ftruncate fd=1 len=10000
fsync fd=1
fstrim
fsmap
checkpoint flags=0
write fd=1 len=30000 fill=pat:2
checkpoint flags=1
mkdir /d/e 0755
checkpoint flags=2
unlink /d/a
freeze
statfs /
thaw
close fd=1
fstrim off=1M len=2M
remount ro,noatime
readdir /d
remount commit=2
rmdir /d/e
shutdown logflush
umount
mount
rmdir /d
