%about Read-only is refused while a file is open for writing or one that lost its name; and back again.
open fd=1 /f O_CREAT|O_RDWR
write fd=1 len=5000
remount ro
close fd=1
open fd=2 /f O_RDONLY
unlink /f
remount ro
close fd=2
open fd=3 /g O_CREAT|O_RDWR
close fd=3
open fd=3 /g O_RDONLY
remount ro
mkdir /d
open fd=4 /g O_RDWR
truncate /g 100
chmod /g 0600
remount rw
mkdir /d
remount ,nodelalloc
remount ,delalloc
remount ,commit=3
remount ,data=writeback
remount ro
remount ,errors=continue
mkdir /e
statfs /
