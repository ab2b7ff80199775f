-- https://doc.traefik.io/traefik/reference/routing-configuration/kubernetes/crd/http/ingressroute/. Routes carry no status
-- of their own; what other controllers write there counts, and a route without rules routes nothing.
local function route(obj)
  for _, c in ipairs(conditions(obj)) do
    if c.status == "False" then
      return result("Degraded", c.message or c.reason)
    elseif c.status == "Unknown" then
      return result("Progressing", c.message or c.reason)
    end
  end
  if not obj.spec or not obj.spec.routes or #obj.spec.routes == 0 then
    return result("Degraded", obj.kind .. " has no routes")
  end
  return result("Healthy", obj.kind .. " has " .. #obj.spec.routes .. " routes")
end
kinds.IngressRoute = route
kinds.IngressRouteTCP = route
kinds.IngressRouteUDP = route
