%about The same with journaled data: all of it goes through the cache
%kind data-journal
open fd=9 / O_RDONLY|O_DIRECT
open fd=9 / O_RDONLY|O_DIRECT|O_DIRECTORY
open fd=1 /f O_CREAT|O_RDWR|O_DIRECT
pwrite fd=1 off=0 len=4096 fill=pat:1
pwrite fd=1 off=4096 len=512 fill=pat:2
fstat fd=1
pwrite fd=1 off=0 len=100 fill=a
pread fd=1 off=0 len=100
pread fd=1 off=100 len=512
pread fd=1 off=100 len=0
pwrite fd=1 off=100 len=0 fill=a
pread fd=1 off=100000 len=512
pread fd=1 off=100001 len=100
pread fd=1 off=4608 len=100
pread fd=1 off=4600 len=100
pread fd=1 off=0 len=8192
ftruncate fd=1 len=1M
pread fd=1 off=65537 len=100
pread fd=1 off=4096 len=8292
pwrite fd=1 off=65537 len=100 fill=b
fstat fd=1
pwrite fd=1 off=1052672 len=100 fill=b
pwrite fd=1 off=1052673 len=512 fill=b
fstat fd=1
pwrite fd=1 off=1049088 len=512 fill=c
fstat fd=1
pwrite fd=1 off=1044992 len=8704 fill=pat:3
fstat fd=1
pread fd=1 off=1044480 len=16384
fallocate fd=1 mode=keep off=2M len=64K
pwrite fd=1 off=2101248 len=4096 fill=d
fstat fd=1
pread fd=1 off=2M len=8192
fsync fd=1
open fd=2 /g O_CREAT|O_RDWR|O_APPEND|O_DIRECT
write fd=2 len=512 fill=e
pwrite fd=2 off=0 len=512 fill=f
write fd=2 len=100 fill=g
ftruncate fd=2 len=700
write fd=2 len=512 fill=g
pread fd=2 off=512 len=512
pread fd=2 off=0 len=1024
open fd=3 /g O_RDWR
pwrite fd=3 off=600 len=3000 fill=pat:4
pread fd=2 off=0 len=4096
copy_file_range fd=1 fd2=2 off=0 to=0 len=8192
open fd=4 /h O_CREAT|O_RDWR|O_DIRECT|O_DSYNC
copy_file_range fd=1 fd2=4 off=0 to=0 len=8192
copy_file_range fd=1 fd2=4 off=0 to=100 len=100
copy_file_range fd=1 fd2=4 off=100 to=0 len=100
copy_file_range fd=3 fd2=4 off=100 to=0 len=3000
copy_file_range fd=2 fd2=3 off=0 to=0 len=8192
fstat fd=4
pread fd=4 off=0 len=8192
