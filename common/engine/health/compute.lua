-- https://nightlies.apache.org/flink/flink-kubernetes-operator-docs-stable/
function kinds.FlinkDeployment(obj)
  local s = obj.status or {}
  local r = s.reconciliationStatus
  if r and (r.success or r.state == "DEPLOYED") then
    return result("Healthy")
  elseif r and one_of(s.jobManagerDeploymentStatus, { "DEPLOYED_NOT_READY", "DEPLOYING" }) then
    return result("Progressing", "Waiting for deploying")
  elseif r and s.jobManagerDeploymentStatus == "ERROR" then
    return result("Degraded", r.error)
  end
  return result("Progressing", "Waiting for Flink operator")
end

-- https://www.kubeflow.org/docs/components/spark-operator/
local function dynamic_range(spec)
  local d, conf = spec.dynamicAllocation, spec.sparkConf or {}
  if d and d.enabled then
    return d.minExecutors or 0, d.maxExecutors or math.huge
  end
  for _, prefix in ipairs({ "spark.streaming.dynamicAllocation.", "spark.dynamicAllocation." }) do
    if conf[prefix .. "enabled"] == "true" then
      return tonumber(conf[prefix .. "minExecutors"] or 0), tonumber(conf[prefix .. "maxExecutors"] or math.huge)
    end
  end
end

local function has_its_executors(obj)
  local running, spec = 0, obj.spec
  local wanted = spec.executor and spec.executor.instances
  for _, state in pairs(obj.status.executorState) do
    running = running + (state == "RUNNING" and 1 or 0)
  end
  if wanted ~= nil and wanted == running then
    return true
  end
  local least, most = dynamic_range(spec)
  if least then
    return running >= least and running <= most
  end
  return spec.dynamicAllocation == nil and wanted == nil and running >= 1
end

local spark = {
  [""] = { "Progressing", "SparkApplication was added, enqueuing it for submission" },
  SUBMITTED = { "Progressing", "SparkApplication was submitted successfully" },
  COMPLETED = { "Healthy", "SparkApplication was Completed" },
  FAILED = { "Degraded" },
  SUBMISSION_FAILED = { "Degraded" },
  FAILING = { "Degraded" },
  PENDING_RERUN = { "Progressing", "SparkApplication is Pending Rerun" },
  INVALIDATING = { "Missing", "SparkApplication is in InvalidatingState" },
  SUCCEEDING = { "Progressing", "The driver has completed, its executors end" },
  UNKNOWN = { "Progressing", "SparkApplication is in UnknownState" },
}

function kinds.SparkApplication(obj)
  local a = obj.status and obj.status.applicationState or {}
  if a.state == "RUNNING" and obj.status.executorState and has_its_executors(obj) then
    return result("Healthy", "SparkApplication is Running")
  end
  local s = spark[a.state or "none"]
  if s then
    return result(s[1], s[1] == "Degraded" and a.errorMessage or s[2])
  end
  return result("Progressing", "Waiting for Executor pods")
end

-- https://github.com/ansible/awx-resource-operator
local jobs = {
  successful = "Healthy", failed = "Degraded", error = "Degraded", canceled = "Degraded",
  new = "Progressing", pending = "Progressing", waiting = "Progressing", running = "Progressing",
}

function kinds.AnsibleJob(obj)
  local r = obj.status and obj.status.ansibleJobResult or {}
  local health = jobs[r.status or ""]
  if health then
    return result(health, r.status .. " job - " .. (r.url or ""))
  end
  return result("Progressing", "Waiting for AnsibleJob")
end

-- https://kserve.github.io/website/
local function describe(i, c)
  local text = " | " .. i .. ": " .. c.type .. " | " .. c.status
  for _, field in ipairs({ "reason", "message" }) do
    if (c[field] or "") ~= "" then
      text = text .. " | " .. c[field]
    end
  end
  return text
end

function kinds.InferenceService(obj)
  local s = obj.status
  local model = s and s.modelStatus and s.modelStatus.transitionStatus or "UpToDate"
  if not (s and s.conditions) then
    return result("Progressing", "Waiting for InferenceService to report status...")
  end
  local text, open = model ~= "UpToDate" and "0: transitionStatus | " .. model or "", 0
  for i, c in ipairs(s.conditions) do
    if c.type == "Stopped" and c.status == "True" then
      return result("Suspended", "InferenceService is Stopped")
    elseif c.type ~= "Stopped" and c.status ~= "True" then
      text = text .. describe(i, c)
    end
    open = open + ((c.status == "Unknown" or (c.status == "False" and c.type ~= "Stopped")) and 1 or 0)
  end
  if model == "UpToDate" and open == 0 then
    return result("Healthy", "InferenceService is healthy.")
  end
  return result(one_of(model, { "UpToDate", "InProgress" }) and "Progressing" or "Degraded", text)
end

-- https://www.spinkube.dev/docs/
local function has_failed(c)
  local text = (c.message or ""):lower()
  return c.status == "False" and (c.reason == "ProgressDeadlineExceeded" or text:find("timeout") or text:find("failed"))
end

function kinds.SpinApp(obj)
  local s, available, progress = obj.status, { message = "" }, nil
  if not s then
    return result("Progressing", "Waiting for status to be available")
  end
  for _, c in ipairs(conditions(obj)) do
    if c.type == "Progressing" and has_failed(c) then
      return result("Degraded", c.message or "Application deployment has failed")
    elseif c.type == "Progressing" and c.status == "True" then
      progress = c.message or "Application progress status"
    elseif c.type == "Available" then
      available = { is = c.status == "True", message = c.message or "Application is not available" }
    end
  end
  local ready, wanted = s.readyReplicas or 0, obj.spec.replicas or 1
  if not available.is then
    return result("Degraded", available.message)
  elseif ready < wanted then
    return result("Progressing", "Waiting for replicas to be ready (" .. ready .. "/" .. wanted .. ")")
  elseif progress then
    return result("Progressing", progress)
  end
  return result("Healthy", "Application is healthy with " .. ready .. "/" .. wanted .. " replicas ready")
end

-- https://docs.openfaas.com/openfaas-pro/function-crd/
function kinds.Function(obj)
  local found = decide(conditions(obj), {
    { "Ready", "False", "Degraded" },
    { "Stalled", "True", "Degraded" },
    { "Ready", "True", "Healthy" },
  }, "Progressing", "Waiting for Function")
  if found.status == "Healthy" and (obj.status.replicas or 0) <= 0 then
    return result("Suspended", "No replicas available")
  end
  return found
end

-- https://camel.apache.org/camel-k/
kinds.Integration = when("Ready", "Waiting for Integration")

-- https://kubevirt.io/user-guide/
function kinds.VirtualMachine(obj)
  local status, message = "Progressing", "No status available"
  for _, c in ipairs(conditions(obj)) do
    if c.type == "Paused" and c.status == "True" then
      return result("Suspended", "Paused")
    elseif c.type == "Ready" and c.status == "True" then
      status, message = "Healthy", "Running"
    elseif c.type == "Ready" and obj.status.created then
      message = "Starting"
    elseif c.type == "Ready" then
      status, message = "Suspended", "Stopped"
    end
  end
  return result(status, obj.status and obj.status.printableStatus or message)
end

local final = {
  Failed = "Degraded", Pending = "Progressing", Scheduling = "Progressing", Scheduled = "Progressing", Succeeded = "Suspended",
  Unknown = "Unknown",
}

function kinds.VirtualMachineInstance(obj)
  local phase = obj.status and obj.status.phase
  local found = result("Progressing", phase or "No status available")
  if final[phase or ""] then
    return result(final[phase], phase)
  end
  for _, c in ipairs(conditions(obj)) do
    if c.type == "Ready" then
      found = c.status == "True" and result("Healthy", "Running") or result("Degraded", c.message)
    elseif c.type == "Paused" and c.status == "True" then
      return result("Suspended", c.message)
    end
  end
  return found
end

-- https://karmada.io/docs/
local function binding(needs_clusters)
  return function(obj)
    local clusters, all = obj.spec.clusters, obj.status and obj.status.aggregatedStatus
    if not clusters and needs_clusters then
      all = nil
    elseif clusters and (#clusters == 0 or not all or #clusters ~= #all) then
      all = nil
    end
    if not all or (not needs_clusters and #all == 0) then
      return result("Progressing", "Current resource status is insufficient")
    end
    for _, s in ipairs(all) do
      if s.health == "Unhealthy" or (s.health == "Unknown" and s.applied ~= true) then
        return result("Degraded", "Current resource status is unhealthy")
      end
    end
    return result("Healthy")
  end
end
kinds.ClusterResourceBinding = binding(true)
kinds.ResourceBinding = binding(false)
