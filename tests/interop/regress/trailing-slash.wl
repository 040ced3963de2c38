%about A slash at the end asks for a directory.
open fd=1 /f O_CREAT|O_RDWR
close fd=1
mkdir /d
open fd=1 /f/ O_RDONLY|O_CREAT
open fd=2 /d/ O_RDONLY|O_CREAT
open fd=3 /g/ O_RDONLY|O_CREAT
open fd=4 /g/ O_RDONLY
open fd=5 /f/ O_RDONLY
open fd=6 /d/ O_RDONLY
unlink /f/
unlink /g/
unlink /d/
mkdir /f/
mkdir /d/
mkdir /e/
rmdir /f/
rmdir /e/
stat /f/
truncate /f/ 0
access /d/
