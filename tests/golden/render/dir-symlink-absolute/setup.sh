ln -s /etc/passwd app/b.yaml
