ln -s ../../../etc/passwd v.yaml
