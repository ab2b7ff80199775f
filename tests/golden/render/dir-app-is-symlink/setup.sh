ln -s real app
