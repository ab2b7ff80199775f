{{ define "web.name" }}{{ .Chart.Name }}-{{ .Release.Name | trunc 3 }}{{ end }}
