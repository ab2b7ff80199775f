{{/* Labels of an object: (dict "root" $ "name" "argocd-server" "component" "server") */}}
{{- define "argocd.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
app.kubernetes.io/name: {{ .name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: argocd
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
{{- with .root.Values.global.additionalLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* metadata of an object, its name included: the above and "labels", "annotations" */}}
{{- define "argocd.meta" -}}
name: {{ .object | default .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "argocd.labels" . | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "argocd.clusterMeta" -}}
name: {{ .name }}
labels:
  {{- include "argocd.labels" . | nindent 2 }}
{{- end }}

{{/* data of a ConfigMap: (dict "root" $ "from" map). Strings are templates; null is left out. */}}
{{- define "argocd.data" -}}
{{- $data := dict }}
{{- range $key, $value := .from }}
{{- if not (kindIs "invalid" $value) }}
{{- $text := or (kindIs "map" $value) (kindIs "slice" $value) | ternary (toYaml $value) (toString $value) }}
{{- $_ := set $data $key (tpl $text $.root) }}
{{- end }}
{{- end }}
{{- with $data }}
data:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The image of a component: (dict "root" $ "image" .Values.server.image "default" "api-server") */}}
{{- define "argocd.image" -}}
{{- $g := .root.Values.global.image -}}
{{- $tag := .image.tag | default $g.tag | default .root.Chart.AppVersion -}}
{{- printf "%s:%s" (.image.repository | default (printf "%s/cargocd-%s" $g.registry .default)) $tag -}}
{{- end }}

{{- define "argocd.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "argocd.podSecurity" -}}
runAsNonRoot: true
runAsUser: 999
runAsGroup: 999
fsGroup: 999
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* Labels and annotations of a pod */}}
{{- define "argocd.podMeta" -}}
labels:
  {{- include "argocd.labels" . | nindent 2 }}
  {{- with merge (deepCopy .values.podLabels) .root.Values.global.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  {{- with .daemon }}
  # What a daemon reads only when it starts.
  checksum/cmd-params: {{ include (print $.root.Template.BasePath "/config/argocd-cmd-params-cm.yaml") $.root | sha256sum }}
  checksum/cm-timeouts: {{ pick $.root.Values.configs.cm "timeout.reconciliation" "timeout.hard.reconciliation" "timeout.reconciliation.jitter" | toJson | sha256sum }}
  {{- end }}
  {{- with merge (deepCopy .values.podAnnotations) .root.Values.global.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Where a pod runs, and its other fields that have nothing to do with its containers. */}}
{{- define "argocd.podCommon" -}}
{{- $g := .root.Values.global -}}
{{- with .root.Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName | default $g.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector | default $g.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations | default $g.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
affinity:
{{- with .values.affinity | default $g.affinity }}
  {{- toYaml . | nindent 2 }}
{{- else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            app.kubernetes.io/name: {{ .name }}
    - weight: 5
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            app.kubernetes.io/part-of: argocd
{{- end }}
{{- with .values.topologySpreadConstraints | default $g.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "argocd.podSecurity" . | nindent 2 }}
terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
{{- end }}

{{/* A daemon's environment: its own entries, the keys of argocd-cmd-params-cm and argocd-cm (files/params.yaml), Redis. */}}
{{- define "argocd.env" -}}
{{- with concat .values.env .root.Values.global.env }}
{{ toYaml . }}
{{- end }}
{{- with .env }}
{{ . }}
{{- end }}
{{- range $configmap, $keys := get (.root.Files.Get "files/params.yaml" | fromYaml) .component | default dict }}
{{- range $env, $key := $keys }}
- name: {{ $env }}
  valueFrom:
    configMapKeyRef: {name: {{ $configmap }}, key: {{ $key }}, optional: true}
{{- end }}
{{- end }}
{{- if .root.Values.redis.enabled }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef: {name: argocd-redis, key: auth}
{{- else if .root.Values.externalRedis.existingSecret }}
- name: REDIS_USERNAME
  valueFrom:
    secretKeyRef: {name: {{ .root.Values.externalRedis.existingSecret }}, key: redis-username, optional: true}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ .root.Values.externalRedis.existingSecret }}, key: redis-password}
{{- end }}
{{- end }}

{{/*
A pod of one container and whatever the values add:
  root, name, component, values
  container, image  its name; its image of ours
  daemon            true: environment, certificate (tls) and seal key (seal: Secrets) of a daemon
  args, ports       list; name to number
  ready, live       lists of a path, empty for a TCP probe, and a port
  mounts, volumes   YAML, besides
*/}}
{{- define "argocd.pod" -}}
metadata:
  {{- include "argocd.podMeta" . | nindent 2 }}
spec:
  serviceAccountName: {{ .values.serviceAccount.name }}
  automountServiceAccountToken: {{ .token }}
  {{- include "argocd.podCommon" . | nindent 2 }}
  {{- if or .init .values.initContainers }}
  initContainers:
  {{- with .init }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .values.initContainers }}
  {{- tpl (toYaml .) $.root | nindent 2 }}
  {{- end }}
  {{- end }}
  containers:
  - name: {{ .container }}
    image: {{ include "argocd.image" (dict "root" .root "image" .values.image "default" .image) }}
    imagePullPolicy: {{ .values.image.imagePullPolicy | default .root.Values.global.image.imagePullPolicy }}
    {{- with concat (.args | default list) .values.extraArgs }}
    args:
    {{- toYaml . | nindent 4 }}
    {{- end }}
    env:
    {{- include "argocd.env" . | trim | nindent 4 }}
    {{- with .values.envFrom }}
    envFrom:
    {{- toYaml . | nindent 4 }}
    {{- end }}
    ports:
    {{- range $name, $port := .ports }}
    - {name: {{ $name }}, containerPort: {{ $port }}, protocol: TCP}
    {{- end }}
    readinessProbe:
      {{- include "argocd.probe" (prepend .ready .values.readinessProbe) | nindent 6 }}
    livenessProbe:
      {{- include "argocd.probe" (prepend .live .values.livenessProbe) | nindent 6 }}
    {{- with .values.resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    securityContext:
      {{- include "argocd.containerSecurity" . | nindent 6 }}
    volumeMounts:
    - {name: tmp, mountPath: /tmp}
    {{- if .daemon }}
    - {name: cargocd-tls, mountPath: /app/config/cargocd/tls, readOnly: true}
    - {name: cargocd-seal, mountPath: /app/config/cargocd/seal, readOnly: true}
    {{- end }}
    {{- with .mounts }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- with .values.volumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .values.extraContainers }}
  {{- tpl (toYaml .) $.root | nindent 2 }}
  {{- end }}
  volumes:
  - name: tmp
    emptyDir: {{ with .values.emptyDir }}{{ with .sizeLimit }}{sizeLimit: {{ . }}}{{ else }}{}{{ end }}{{ else }}{}{{ end }}
  {{- if .daemon }}
  - name: cargocd-tls
    secret: {secretName: {{ .tls }}, defaultMode: 0440}
  - name: cargocd-seal
    secret: {secretName: {{ .seal }}, defaultMode: 0440}
  {{- end }}
  {{- with .volumes }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .values.volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "argocd.probe" -}}
{{- if index . 1 -}}
httpGet: {path: {{ index . 1 | quote }}, port: {{ index . 2 }}}
{{- else -}}
tcpSocket: {port: {{ index . 2 }}}
{{- end }}
{{ toYaml (index . 0) }}
{{- end }}

{{/* Objects that every component has in the same form. */}}
{{- define "argocd.serviceAccount" -}}
{{- $a := .values.serviceAccount }}
{{- if $a.create }}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "argocd.meta" (merge (dict "object" $a.name "labels" $a.labels "annotations" $a.annotations) .) | nindent 2 }}
automountServiceAccountToken: {{ .token }}
{{- end }}
{{- end }}

{{- define "argocd.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  name: {{ .name }}
  {{- if eq .kind "Role" }}
  namespace: {{ .root.Release.Namespace }}
  {{- end }}
  labels:
    {{- include "argocd.labels" . | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: {{ .kind }}, name: {{ .name }}}
subjects:
- {kind: ServiceAccount, name: {{ .values.serviceAccount.name }}, namespace: {{ .root.Release.Namespace }}}
{{- end }}

{{- define "argocd.pdb" -}}
{{- if .values.pdb.enabled }}
apiVersion: {{ ternary "policy/v1" "policy/v1beta1" (.root.Capabilities.APIVersions.Has "policy/v1") }}
kind: PodDisruptionBudget
metadata:
  {{- include "argocd.meta" . | nindent 2 }}
spec:
  {{- if .values.pdb.maxUnavailable }}
  maxUnavailable: {{ .values.pdb.maxUnavailable }}
  {{- else }}
  minAvailable: {{ .values.pdb.minAvailable | default 1 }}
  {{- end }}
  selector:
    matchLabels:
      app.kubernetes.io/name: {{ .name }}
{{- end }}
{{- end }}
