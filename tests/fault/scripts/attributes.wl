# attributes: in the inode, in a block, shared, with a list of rights; flags, owner, times
mkdir /d 0755
setxattr /d system.posix_acl_default hex=0200000001000700ffffffff02000600e803000004000500ffffffff10000600ffffffff20000100ffffffff
open fd=1 /d/a O_CREAT|O_RDWR 0644
write fd=1 len=5000 fill=a
open fd=2 /d/b O_CREAT|O_RDWR 0600
setxattr /d/a user.small value=1
setxattr /d/a user.large len=300 fill=b
setxattr /d/b user.large len=300 fill=b
setxattr /d/b user.large len=200 fill=c
syncfs
setxattr /d/a user.small len=100 fill=d
setxattr /d/a trusted.t value=x
chmod /d/a 0640
chown /d/a 1000 1000
utimens /d/a now 1000000000.5
chattr /d/a +dA
chattr /d/b +a
write fd=2 len=100 fill=c
chattr /d/b -a
removexattr /d/a user.large
getxattr /d/b user.large
listxattr /d/a
setxattr /d/a user.huge len=3000 fill=h
fsync fd=1
close fd=1
close fd=2
# a block of attributes that is in the log alone when it is to be freed
open fd=1 /d/c O_CREAT|O_RDWR 0600
setxattr /d/c user.large len=300 fill=g
fsync fd=1
close fd=1
unlink /d/c
umount
mount ,lazytime
listxattr /d/b
open fd=1 /d/a O_RDWR
read fd=1 len=100
pwrite fd=1 off=0 len=100 fill=e
fsync fd=1
close fd=1
unlink /d/a
unlink /d/b
