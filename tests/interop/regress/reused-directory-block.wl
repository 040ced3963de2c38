%about A block of a removed directory becomes a block of another: "allocated while it is in use".
%mount noinit_itable,sync,dirsync
mkdir /a
rmdir /a
mkdir /b
mkdir /c
rmdir /c
syncfs
mkdir /d
readdir /
readdir /d
