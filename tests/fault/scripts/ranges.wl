# space by range: each kind, on a file whose extents leave the inode
open fd=1 /a O_CREAT|O_RDWR 0644
fallocate fd=1 mode=alloc off=0 len=100K
pwrite fd=1 off=20000 len=5000 fill=pat:1
pwrite fd=1 off=60K len=8K fill=pat:2
fsync fd=1
fallocate fd=1 mode=keep off=200K len=100K
fallocate fd=1 mode=punch off=8K len=8K
fallocate fd=1 mode=punch off=21000 len=3000
fallocate fd=1 mode=zero off=61K len=5000
fallocate fd=1 mode=zero,keep off=90K len=50K
fallocate fd=1 mode=insert off=16K len=4K
fallocate fd=1 mode=collapse off=4K len=8K
fsync fd=1
open fd=2 /b O_CREAT|O_RDWR 0644
pwrite fd=2 off=0 len=300K fill=pat:3
fallocate fd=2 mode=punch off=100K len=64K
fallocate fd=2 mode=collapse off=0 len=64K
ftruncate fd=2 len=50K
fallocate fd=2 mode=insert off=0 len=16K
fiemap fd=2
copy_file_range fd=2 fd2=1 off=1000 to=30000 len=40K
close fd=2
syncfs
close fd=1
