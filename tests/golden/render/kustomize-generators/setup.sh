printf "\377\000" > app/b.bin
