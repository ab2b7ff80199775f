local states = {
  NONE = { "Unknown", "Component is not present." },
  UPDATING = { "Progressing", "Component is being updated to a different version." },
  RECONCILING = { "Progressing", "Controller has started but not yet completed reconciliation loop for the component." },
  HEALTHY = { "Healthy", "Component is healthy." },
  ERROR = { "Degraded", "Component is in an error state." },
}
local numbers = { [0] = "NONE", "UPDATING", "RECONCILING", "HEALTHY", "ERROR" }

function kinds.IstioOperator(obj)
  local state = obj.status and obj.status.status
  state = state and states[numbers[state] or state]
  if state then
    return result(state[1], state[2])
  end
  return result("Progressing", "Waiting for Istio Control Plane")
end

-- https://istio.io/latest/docs/setup/install/operator/ was followed by https://github.com/istio-ecosystem/sail-operator
kinds.Istio = when("Ready", "Waiting for Istio Control Plane")
kinds.IstioCNI = when("Ready", "Waiting for the network plugin")
kinds.IstioRevision = when("Ready", "Waiting for the revision")
kinds.ZTunnel = when("Ready", "Waiting for the tunnel")
