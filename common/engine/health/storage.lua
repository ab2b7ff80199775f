-- https://docs.netapp.com/us-en/trident/: Astra's protection of data, and Trident
local nothing = "No status available"

local function of_kind(what)
  return function(_, obj)
    return obj.kind .. what
  end
end

kinds.AppVault = by_state("state", {
  available = { "Healthy", of_kind(" Available") },
  Available = { "Healthy", of_kind(" Available") },
  failed = { "Degraded", of_kind(" Failed") },
  Failed = { "Degraded", of_kind(" Failed") },
}, nothing)

kinds.Backup = by_state("state", {
  Completed = { "Healthy", of_kind(" Completed") },
  Running = { "Progressing", of_kind(" Running") },
}, nothing, { "Degraded", itself })
kinds.ExecHooksRun = kinds.Backup
kinds.ResourceBackup = kinds.Backup
kinds.ResticVolumeBackup = kinds.Backup
kinds.Snapshot = kinds.Backup

function kinds.Application(obj)
  return decide(conditions(obj), {
    { "Ready", "True", "Healthy", function()
      return "Astra Application Ready, protectionState: " .. (obj.status.protectionState or "")
    end },
    { "Ready", "False", "Degraded", function(c)
      return "Astra Application Degraded, message: " .. (c.message or "")
    end },
  }, "Progressing", nothing)
end

function kinds.ExecHook(obj)
  local enabled = obj.spec and obj.spec.enabled
  if type(enabled) ~= "boolean" then
    return result("Progressing", nothing)
  end
  return result(enabled and "Healthy" or "Suspended", obj.kind .. (enabled and " enabled" or " disabled"))
end

function kinds.Schedule(obj)
  local last = obj.status and obj.status.lastScheduleTime
  return result("Healthy", last and "Protection policy lastScheduleTime: " .. last or "Protection policy not yet executed")
end

function kinds.TridentBackendConfig(obj)
  local s = obj.status or {}
  if s.phase == "Bound" and s.lastOperationStatus == "Success" then
    return result("Healthy", s.message)
  elseif s.lastOperationStatus == "Failed" then
    return result("Degraded", s.message)
  end
  return result("Progressing", "Waiting for backend creation")
end

function kinds.TridentOrchestrator(obj)
  local s = obj.status or {}
  if s.status == "Installed" then
    return result("Healthy", s.message)
  elseif one_of(s.status, { "Failed", "Error" }) then
    return result("Degraded", s.message)
  end
  return result("Progressing", "Waiting for trident installation")
end

-- https://rook.io/docs/rook/latest/CRDs/
local function details(ceph)
  local types, texts = {}, {}
  for type in pairs(ceph.details or {}) do
    types[#types + 1] = type
  end
  table.sort(types)
  for _, type in ipairs(types) do
    texts[#texts + 1] = ceph.details[type].message
  end
  return #texts > 0 and " (" .. table.concat(texts, "; ") .. ")" or ""
end

local ceph_health = { HEALTH_OK = "Healthy", HEALTH_WARN = "Degraded", HEALTH_ERR = "Degraded" }
local ceph_states = { Created = "Healthy", Connected = "Healthy", Error = "Degraded" }

function kinds.CephCluster(obj)
  local s, status, texts = obj.status, "Progressing", {}
  if not s then
    return result("Progressing", "Waiting for status to be reported")
  end
  if s.ceph and s.ceph.health then
    status = ceph_health[s.ceph.health] or "Progressing"
    texts[1] = "Ceph health is " .. s.ceph.health .. details(s.ceph)
  end
  if s.state and status == "Healthy" then
    status = ceph_states[s.state] or "Progressing"
    texts[#texts + 1] = "Ceph cluster state is " .. s.state
  end
  if (s.message or "") ~= "" then
    texts[#texts + 1] = s.message
  end
  return result(status, table.concat(texts, " - "))
end

function kinds.CephObjectStore(obj)
  local s = obj.status or {}
  local states = { Ready = "Healthy", Failure = "Degraded" }
  local message = s.phase and "Ceph object store phase is " .. s.phase or "Waiting for status to be reported"
  local endpoint = s.info and s.info.endpoint or ""
  return result(s.phase and states[s.phase] or "Progressing", message .. (endpoint ~= "" and " - endpoint: " .. endpoint or ""))
end

-- Cassandra, by Rook
function kinds.Cluster(obj)
  local racks = obj.status and obj.status.racks
  for _, rack in pairs(racks or {}) do
    if rack.members and rack.readyMembers and rack.members ~= rack.readyMembers then
      racks = nil
      break
    end
  end
  if racks then
    return result("Healthy")
  end
  return result("Progressing", "Waiting for Cassandra Cluster")
end

-- https://kube-object-storage.github.io/lib-bucket-provisioner/
function kinds.ObjectBucketClaim(obj)
  local states = { Bound = "Healthy", Failed = "Degraded" }
  if not obj.status then
    return result("Progressing", "Waiting for status to be reported")
  elseif not obj.status.phase then
    return result("Progressing", "Waiting for phase to be reported")
  end
  return result(states[obj.status.phase] or "Progressing", "Object bucket claim phase is " .. obj.status.phase)
end

-- https://kubernetes.io/docs/concepts/storage/volume-snapshots/
function kinds.VolumeSnapshot(obj)
  local s = obj.status or {}
  if s.readyToUse then
    return result("Healthy", "Ready to use")
  elseif s.error then
    return result("Degraded", s.error.message)
  end
  return result("Progressing", "Waiting for status")
end
kinds.VolumeSnapshotContent = kinds.VolumeSnapshot

-- https://min.io/docs/minio/kubernetes/upstream/
kinds.Tenant = by_state("currentState", {
  ["Initialized"] = { "Healthy", itself },
  ["Statefulset not controlled by operator"] = { "Degraded", itself },
  ["Another MinIO Tenant already exists in the namespace"] = { "Degraded", itself },
  ["Tenant credentials are not set properly"] = { "Degraded", itself },
  ["Different versions across MinIO Pools"] = { "Degraded", itself },
  ["Pool Decommissioning Not Allowed"] = { "Degraded", itself },
}, "No status info available", { "Progressing", itself })

-- https://kubevirt.io/user-guide/storage/containerized_data_importer/
function kinds.DataVolume(obj)
  local states = { Succeeded = "Healthy", Failed = "Degraded", Unknown = "Degraded", Paused = "Suspended" }
  local phase = obj.status and obj.status.phase
  local status, message = states[phase or ""] or "Progressing", phase or nothing
  if phase == "Succeeded" or phase == "Paused" then
    return result(status, message)
  end
  return decide(conditions(obj), { { "Running", "False", "Degraded", reasons = { "Error" } } }, status, message)
end
