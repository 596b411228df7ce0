{{/* Labels of every object: part-of is what the operator's watches select. */}}
{{- define "podium.labels" -}}
app.kubernetes.io/part-of: podium
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels that select one component's pods: (list $ "gateway"). */}}
{{- define "podium.selector" -}}
app.kubernetes.io/name: podium-{{ index . 1 }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
{{- end }}

{{/* One component's image: (list $ "gateway"). A digest of the values wins; else a name that brings its own tag or digest keeps it. */}}
{{- define "podium.image" -}}
{{- $image := (index . 0).Values.image -}}
{{- $name := index $image (index . 1) -}}
{{- with $image.registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- with index $image.digests (index . 1) -}}
{{ regexReplaceAll "(:[^/:@]*)?(@.*)?$" $name "" }}@{{ . }}
{{- else -}}
{{- $name }}
{{- if not (regexMatch "[:@][^/]*$" $name) }}:{{ $image.tag | default (index . 0).Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end }}

{{- define "podium.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "podium.agentKeySecret" -}}
{{ .Values.agentKey.existingSecret | default (printf "%s-agent-key" .Release.Name) }}
{{- end }}

{{/* How callers reach the gateway, if the values say it. */}}
{{- define "podium.publicUrl" -}}
{{- if .Values.gateway.publicUrl -}}
{{ trimSuffix "/" .Values.gateway.publicUrl }}
{{- else if and .Values.ingress.enabled .Values.ingress.host -}}
{{ ternary "https" "http" (ne .Values.ingress.tlsSecret "") }}://{{ .Values.ingress.host }}
{{- end -}}
{{- end }}
