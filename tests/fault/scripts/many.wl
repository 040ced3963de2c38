# files enough for several transactions, a bitmap that each of them changes, and orphans
mkdir /d 0755
mkdir /d/e 0755
open fd=0 /d/0 O_CREAT|O_WRONLY 0644
write fd=0 len=400K fill=a chunk=100K
open fd=1 /d/1 O_CREAT|O_WRONLY 0644
pwrite fd=1 off=0 len=4K fill=b
pwrite fd=1 off=16K len=4K fill=b
pwrite fd=1 off=32K len=4K fill=b
pwrite fd=1 off=48K len=4K fill=b
pwrite fd=1 off=64K len=4K fill=b
pwrite fd=1 off=80K len=4K fill=b
fsync fd=1
open fd=2 /d/2 O_CREAT|O_WRONLY 0644
write fd=2 len=70K fill=c
fsync fd=2
ftruncate fd=0 len=100K
fsync fd=0
unlink /d/2
open fd=3 /d/3 O_CREAT|O_WRONLY 0644
write fd=3 len=90K fill=d
syncfs
close fd=2
ftruncate fd=1 len=20K
unlink /d/1
unlink /d/0
open fd=4 /d/4 O_CREAT|O_WRONLY 0644
write fd=4 len=300K fill=e
sleep 7000
close fd=0
close fd=1
fsync fd=4
readdir /d
rmdir /d/e
