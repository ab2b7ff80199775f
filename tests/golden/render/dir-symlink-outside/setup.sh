ln -s ../../x.yaml app/b.yaml
