%about A closed descriptor, and arguments that are wrong whatever the descriptor.
ftruncate fd=5 len=-1
ftruncate fd=5 len=1
lseek fd=5 off=-1
pread fd=5 off=-1 len=10
pwrite fd=5 off=-1 len=10
sync_file_range fd=5 off=-1 len=10
sync_file_range fd=5 off=0 len=10
fsync fd=5
fstat fd=5
fiemap fd=5
fadvise fd=5 advice=normal
close fd=5
