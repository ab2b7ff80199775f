mkdir -p app/templates; ln -s ../../shared/x.yaml app/templates/x.yaml
