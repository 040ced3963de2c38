%about The bytes of pwrite on an O_APPEND file go to its end.
open fd=1 /f O_CREAT|O_RDWR|O_APPEND
write fd=1 len=1000 fill=pat:1
pwrite fd=1 off=100 len=1000 fill=pat:2
pread fd=1 off=0 len=3000
fstat fd=1
lseek fd=1 off=0 whence=cur
