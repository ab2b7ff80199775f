-- https://grafana.github.io/grafana-operator/
function kinds.Grafana(obj)
  local s = obj.status or {}
  if s.stageStatus == nil then
    return result("Progressing", "Waiting for Grafana status info")
  elseif s.stageStatus == "failed" then
    return result("Degraded", "Failed at stage " .. (s.stage or ""))
  elseif s.stage == "complete" and s.stageStatus == "success" then
    return result("Healthy", "")
  end
  return result("Progressing", s.stage)
end

function kinds.GrafanaDatasource(obj)
  if not obj.status or obj.status.uid == "" then
    return result("Progressing", "")
  elseif obj.status.NoMatchingInstances then
    return result("Degraded", "can't find matching grafana instance")
  end
  return result("Healthy", "")
end

-- All conditions up to the first that is False are told.
function kinds.GrafanaDashboard(obj)
  local status, text = "Progressing", ""
  for _, c in ipairs(conditions(obj)) do
    if c.status ~= nil then
      text = text .. (text ~= "" and ", " or "") .. (c.reason or "")
      if c.reason and c.type then
        text = text .. " for " .. c.type .. (c.message and " because " .. c.message or "")
      end
      if c.status == "False" then
        return result("Degraded", text)
      end
      status = c.status == "True" and "Healthy" or status
    end
  end
  return result(status, text)
end
kinds.GrafanaFolder = kinds.GrafanaDashboard

-- https://www.jaegertracing.io/docs/latest/operator/
kinds.Jaeger = by_state("phase", {
  Running = { "Healthy", "Jaeger is Running" },
  Failed = { "Degraded", "Jaeger Failed For Some Reason" },
}, "Waiting for Jaeger")

-- https://opentelemetry.io/docs/platforms/kubernetes/operator/
local function by_replicas(obj, text)
  local ready, wanted = text:match("(%d+)/(%d+)")
  ready, wanted = tonumber(ready), tonumber(wanted)
  if not ready then
    return result("Progressing", "Unable to parse replica status: " .. text)
  elseif ready == 0 and wanted == 0 and obj.spec and obj.spec.mode == "daemonset" then
    return result("Healthy", "DaemonSet has no eligible nodes (0/0)")
  elseif ready == 0 then
    return result("Degraded", "No replicas are ready")
  elseif ready == wanted then
    return result("Healthy", "All replicas are ready")
  end
  return result("Progressing", "Replicas are starting up")
end

function kinds.OpenTelemetryCollector(obj)
  local s = obj.status
  if not s then
    return result("Progressing", "Waiting for OpenTelemetry Collector status")
  elseif s.scale and s.scale.statusReplicas then
    return by_replicas(obj, tostring(s.scale.statusReplicas))
  elseif obj.spec and obj.spec.mode == "sidecar" then
    return result("Healthy", "Collector is running in sidecar mode")
  end
  return result("Progressing", "Scale status not available")
end

-- https://docs.datadoghq.com/containers/guide/cluster_agent_autoscaling_metrics/
function kinds.DatadogMetric(obj)
  return decide_in_turn(conditions(obj), {
    { "Error", "True", "Degraded", function(c)
      return ((c.reason or "") ~= "" and c.reason .. ": " or "") .. (c.message or "DatadogMetric reported an error")
    end },
    { "Valid", "False", "Degraded", default = "DatadogMetric is not valid" },
  }, "Healthy", "DatadogMetric is healthy")
end

-- https://github.com/humio/humio-operator
kinds.HumioAction = by_state("state", {
  Exists = { "Healthy", "Component state: Exists." },
  NotFound = { "Missing", "Component state: NotFound." },
  ConfigError = { "Degraded", "Component state: ConfigError." },
  Unknown = { "Unknown", "Component state: Unknown." },
}, "Update in progress")
for _, kind in ipairs({ "HumioAlert", "HumioIngestToken", "HumioParser", "HumioRepository", "HumioView" }) do
  kinds[kind] = kinds.HumioAction
end

local function message_or(text)
  return function(_, obj)
    return obj.status.message or text
  end
end
kinds.HumioCluster = by_state("state", {
  Running = { "Healthy", message_or("Cluster is in a healthy running state") },
  Restarting = { "Progressing", message_or("Cluster pods are being restarted") },
  Upgrading = { "Progressing", message_or("Cluster pods are being upgraded") },
  ConfigError = { "Degraded", message_or("User-provided cluster specification resulted in a configuration error") },
  Pending = { "Progressing", message_or("Cluster is waiting on resources to be provisioned") },
  Unknown = { "Unknown", message_or("Component state: Unknown.") },
}, "Update in progress")

-- https://coralogix.com/docs/
kinds.Alert = by_conditions({
  { "RemoteSynced", "True", "Healthy", "Resource is ready" },
  { "RemoteSynced", "False", "Degraded" },
}, "Waiting for status to be updated")
kinds.RecordingRuleGroupSet = kinds.Alert

-- https://keptn.sh/
local function keptn(field)
  return function(obj)
    local state = obj.status and obj.status[field]
    local words = { Succeeded = { "Healthy", "healthy" }, Failed = { "Degraded", "degraded" } }
    local w = words[state or ""] or { "Progressing", "progressing" }
    return result(w[1], obj.kind .. " is " .. w[2])
  end
end
for _, kind in ipairs({ "KeptnAppVersion", "KeptnTask", "KeptnWorkloadInstance", "KeptnWorkloadVersion" }) do
  kinds[kind] = keptn("status")
end
kinds.KeptnEvaluation = keptn("overallStatus")

function kinds.KeptnMetric(obj)
  local s = obj.status or {}
  if (s.errMsg or "") ~= "" then
    return result("Degraded", "KeptnMetric is degraded")
  elseif s.value ~= nil then
    return result("Healthy", "KeptnMetric is healthy")
  end
  return result("Progressing", "KeptnMetric is progressing")
end

function kinds.Analysis(obj)
  local s = obj.status or {}
  if s.pass == true then
    return result("Healthy", "Analysis is healthy")
  elseif s.warning == true then
    return result("Healthy", "Analysis is healthy with warnings")
  elseif s.pass == false then
    return result("Degraded", "Analysis is degraded")
  end
  return result("Progressing", "Analysis is progressing")
end

-- https://kiali.io/docs/
function kinds.Kiali(obj)
  return decide(conditions(obj), {
    { "Successful", "True", "Healthy" },
    { "Failure", "True", "Degraded" },
    { "Running", "*", "Progressing", reasons = { "Running" } },
  }, "Progressing", "Waiting for Kiali")
end
