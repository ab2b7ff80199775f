mkdir -p t/s/templates app/charts
printf 'apiVersion: v2\nname: s\nversion: 1.0.0\n' > t/s/Chart.yaml
printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: packed}\ndata: {v: "{{ .Values.v }}", k: "{{ .Capabilities.KubeVersion }}"}\n' > t/s/templates/x.yaml
tar -C t --sort=name --mtime=2024-01-01 --owner=0 --group=0 -cf - s | gzip -n > app/charts/s-1.0.0.tgz
rm -r t
