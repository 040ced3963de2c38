%about Positions of directories are hashes; positions do not overflow.
open fd=1 / O_RDONLY
lseek fd=1 off=0 whence=end
lseek fd=1 off=1 whence=end
lseek fd=1 off=-1 whence=end
lseek fd=1 off=1024 whence=data
lseek fd=1 off=1024 whence=hole
lseek fd=1 off=-1 whence=data
lseek fd=1 off=9223372036854775807 whence=data
lseek fd=1 off=9223372036854775806 whence=hole
lseek fd=1 off=9223372036854775807 whence=cur
lseek fd=1 off=5 whence=set
lseek fd=1 off=-6 whence=cur
open fd=2 /f O_CREAT|O_RDWR
write fd=2 len=10000
lseek fd=2 off=9223372036854775807 whence=cur
lseek fd=2 off=9223372036854775807 whence=end
lseek fd=2 off=-10001 whence=end
lseek fd=2 off=9999 whence=data
lseek fd=2 off=10000 whence=data
lseek fd=2 off=9999 whence=hole
lseek fd=2 off=10000 whence=hole
lseek fd=2 off=-1 whence=hole
