ln -s ../lib/l.yaml app/link.yaml
ln -s ../lib/deep app/dir
ln -s ../lib/deep app/dir.yaml
ln -s gone app/dangling.yaml
ln -s a.yaml app/not-a-manifest.txt
