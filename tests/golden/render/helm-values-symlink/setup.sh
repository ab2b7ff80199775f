ln -s ../shared/v.yaml app/v.yaml
ln -s ../../more app/templates/dir
