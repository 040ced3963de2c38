# pages: looked at, stored into, made stable, cut off, on a file with holes and promised blocks
open fd=1 /a O_CREAT|O_RDWR 0644
ftruncate fd=1 len=40000
mmapread fd=1 off=0 len=40000
mmapwrite fd=1 off=100 len=5000 fill=pat:1 sync=sync
mmapwrite fd=1 off=20000 len=10000 fill=pat:2
fallocate fd=1 mode=alloc off=30000 len=20000
mmapwrite fd=1 off=29000 len=21000 fill=pat:3
fsync fd=1
mmapwrite fd=1 off=0 len=50000 fill=pat:4 sync=async
fallocate fd=1 mode=punch off=10000 len=10000
mmapwrite fd=1 off=9000 len=3000 fill=pat:5 sync=sync
fadvise fd=1 advice=dontneed
mmapread fd=1 off=0 len=50000 advice=random
fadvise fd=1 advice=willneed off=0 len=30000
ftruncate fd=1 len=12345
mmapwrite fd=1 off=12000 len=1000 fill=e
ftruncate fd=1 len=20000
open fd=2 /b O_CREAT|O_RDWR 0644
pwrite fd=2 off=0 len=100000 fill=pat:6
chattr /b +j
mmapwrite fd=2 off=5000 len=9000 fill=pat:7 sync=sync
mmapwrite fd=2 off=50000 len=5000 fill=pat:8
syncfs
unlink /a
mmapwrite fd=1 off=0 len=100 fill=u
close fd=1
close fd=2
