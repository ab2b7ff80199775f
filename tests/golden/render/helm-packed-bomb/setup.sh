mkdir -p charts x/bomb/templates
printf "apiVersion: v2\nname: bomb\nversion: 1.0.0\n" > x/bomb/Chart.yaml
for i in $(seq 40); do head -c 4000000 /dev/zero > x/bomb/f$i; done
tar -C x -czf charts/bomb-1.0.0.tgz bomb
rm -r x
