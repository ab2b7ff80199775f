# make install DESTDIR= PREFIX=/usr/local
