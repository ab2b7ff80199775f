-- https://velero.io/docs/: phases
local failed = { FailedValidation = true, PartiallyFailed = true, Failed = true, Unavailable = true }
local done = { Completed = true, Enabled = true, Available = true, Ready = true }

local function explain(s)
  local first = s.validationErrors and s.validationErrors[1]
  return first or s.failureReason or s.message or (s.phase and "Phase " .. s.phase)
end

local function by_phase(obj)
  local s = obj.status or {}
  if obj.spec and obj.spec.paused then
    return result("Suspended", obj.kind .. " is paused")
  elseif failed[s.phase] then
    return result("Degraded", explain(s))
  elseif done[s.phase] then
    return result("Healthy", explain(s))
  end
  return result("Progressing", s.phase and explain(s) or "Waiting for Velero")
end
kinds.Backup = by_phase
kinds.Restore = by_phase
kinds.Schedule = by_phase
kinds.BackupStorageLocation = by_phase
kinds.VolumeSnapshotLocation = by_phase
kinds.BackupRepository = by_phase
