%about What a read-only file system answers, in Linux's order of questions.
open fd=1 /f O_CREAT|O_RDWR
close fd=1
mkdir /d
remount ro
open fd=1 /f O_RDONLY
fsync fd=1
fdatasync fd=1
unlink /missing
unlink /f
unlink /d/missing/x
rmdir /missing
rmdir /d
rmdir /f
rmdir /.
unlink /.
mkdir /d
mkdir /e
chmod /missing 0600
chmod /f 0600
truncate /missing 0
truncate /d 0
truncate /f 0
open fd=2 /f O_CREAT|O_RDONLY
open fd=3 /g O_CREAT|O_RDONLY
open fd=4 /f O_RDONLY|O_TRUNC
open fd=5 /f O_CREAT|O_EXCL
syncfs
