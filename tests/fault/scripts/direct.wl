# direct I/O: new blocks, holes, unwritten ones, past the end, parts of blocks; beside writes through the cache
open fd=1 /a O_CREAT|O_RDWR|O_DIRECT 0644
pwrite fd=1 off=0 len=16K fill=pat:1
pwrite fd=1 off=40K len=8K fill=pat:2
pwrite fd=1 off=20K len=4K fill=pat:3
pwrite fd=1 off=512 len=1K fill=pat:4
fallocate fd=1 mode=keep off=64K len=64K
pwrite fd=1 off=72K len=12K fill=pat:5
pwrite fd=1 off=66048 len=512 fill=pat:6
pread fd=1 off=0 len=128K
fsync fd=1
open fd=2 /a O_RDWR
pwrite fd=2 off=3000 len=30K fill=pat:7
pread fd=1 off=0 len=64K
pwrite fd=2 off=100K len=100 fill=pat:8
pwrite fd=1 off=100K len=4K fill=pat:9
pwrite fd=2 off=200K len=5000 fill=pat:1
pwrite fd=1 off=196K len=16K fill=pat:2
fallocate fd=2 mode=punch off=8K len=20K
pwrite fd=1 off=10K len=4K fill=pat:3
ftruncate fd=2 len=30000
pwrite fd=1 off=32K len=1536 fill=pat:4
pwrite fd=1 off=100 len=512 fill=pat:5
close fd=2
open fd=3 /b O_CREAT|O_RDWR|O_DIRECT|O_DSYNC 0644
pwrite fd=3 off=0 len=4K fill=pat:6
pwrite fd=3 off=64K len=128K fill=pat:7
pwrite fd=3 off=0 len=192K fill=pat:8
copy_file_range fd=3 fd2=1 off=0 to=64K len=64K
unlink /b
pwrite fd=3 off=192K len=8K fill=pat:9
close fd=3
syncfs
close fd=1
