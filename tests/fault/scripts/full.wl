# a full disk: data, then names, then room again
open fd=0 /fill O_CREAT|O_WRONLY 0644
write fd=0 len=16M fill=a chunk=512K
write fd=0 len=4K fill=a
fsync fd=0
mkdir /no 0755
open fd=1 /small O_CREAT|O_WRONLY 0644
write fd=1 len=8K fill=b
close fd=1
ftruncate fd=0 len=1M
syncfs
mkdir /yes 0755
open fd=1 /yes/small O_CREAT|O_WRONLY 0644
write fd=1 len=800K fill=c
fsync fd=1
close fd=1
unlink /fill
close fd=0
syncfs
statfs /
