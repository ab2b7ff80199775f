-- The kinds of Flux's toolkit.

local reconcile = {
  disabled = suspended,
  run = annotate("reconcile.fluxcd.io/requestedAt", function()
    return "By Argo CD at: " .. stamp("!%Y-%m-%dT%H:%M:%S")
  end),
}
local suspending = { disabled = suspended, run = suspend }
local resuming = { disabled = running, run = resume }

for _, kind in ipairs({
  "HelmRelease", "Kustomization", "ImageRepository", "ImageUpdateAutomation", "Receiver",
  "Bucket", "GitRepository", "HelmChart", "HelmRepository", "OCIRepository",
}) do
  kinds[kind] = { reconcile = reconcile, suspend = suspending, resume = resuming }
end
kinds.Alert = { suspend = suspending, resume = resuming }
kinds.Provider = kinds.Alert
