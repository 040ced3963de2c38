%about Advice that pages are not needed begins to write them.
open fd=1 /f O_CREAT|O_RDWR
write fd=1 len=50000 fill=pat:3
fiemap fd=1
fadvise fd=1 advice=dontneed
sleep 100
fiemap fd=1
pread fd=1 off=0 len=60000
