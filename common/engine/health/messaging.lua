-- https://www.rabbitmq.com/kubernetes/operator/operator-overview
local function part(kind)
  local name = "RabbitMQ " .. kind:lower()
  kinds[kind] = function(obj)
    return decide(conditions(obj), {
      { "Ready", "True", "Healthy", name .. " ready", reasons = { "SuccessfulCreateOrUpdate" } },
      { "Ready", "False", "Degraded", name .. " failed to be created or updated", reasons = { "FailedCreateOrUpdate" } },
    }, "Unknown", name .. " status is unknown")
  end
end
for _, kind in ipairs({ "Binding", "Exchange", "Permission", "Policy", "Queue", "Shovel", "User", "Vhost" }) do
  part(kind)
end

function kinds.RabbitmqCluster(obj)
  local seen = {}
  for _, c in ipairs(conditions(obj)) do
    if c.type == "ReconcileSuccess" and c.status == "False" then
      return result("Degraded", c.message)
    end
    seen[c.type] = c.status
  end
  local available, ready = seen.ClusterAvailable, seen.AllReplicasReady
  if available == "Unknown" or ready == "Unknown" then
    return result("Progressing", "Waiting for RabbitMQ cluster readiness (conditions unknown)")
  elseif available == "False" then
    return result("Progressing", "Waiting for RabbitMQ cluster formation")
  elseif ready == "False" then
    return result("Progressing", "Waiting for RabbitMQ instances ready")
  elseif available == "True" and ready == "True" then
    return result("Healthy", "RabbitMQ cluster ready")
  end
  return result("Progressing", "Waiting for RabbitMQ Operator")
end

-- https://docs.confluent.io/operator/current/
for _, kind in ipairs({ "Connect", "ControlCenter", "Kafka", "KsqlDB", "SchemaRegistry", "Zookeeper" }) do
  kinds[kind] = by_state("phase", {
    RUNNING = { "Healthy", kind .. " running" },
    PROVISIONING = { "Progressing", kind .. " provisioning" },
  }, "Waiting for " .. kind, { "Progressing", "Waiting for " .. kind })
end

function kinds.Connector(obj)
  local s = obj.status or {}
  local state, failed = s.state, s.failedTasksCount
  if state == "CREATED" and s.connectorState == "RUNNING" and failed == nil then
    return result("Healthy", "Connector running")
  elseif state == "ERROR" then
    local first = conditions(obj)[1]
    return result("Degraded", first and first.message or (not first and "No conditions available" or nil))
  elseif state and failed and failed > 0 then
    return result("Degraded", "Connector has failed tasks")
  end
  return result("Progressing", "Waiting for Kafka Connector")
end

-- https://github.com/banzaicloud/koperator
local function all_in_sync(brokers)
  for _, b in pairs(brokers) do
    local control = b.gracefulActionState and b.gracefulActionState.cruiseControlState
    if b.configurationState ~= "ConfigInSync" or not one_of(control, { "GracefulUpscaleSucceeded", "GracefulDownscaleSucceeded" }) then
      return false
    end
  end
  return true
end

function kinds.KafkaCluster(obj)
  local s = obj.status or {}
  local topic = s.cruiseControlTopicStatus
  if s.state == "ClusterRollingUpgrading" then
    return result("Progressing", "Kafka Cluster is Rolling Upgrading.")
  elseif s.brokersState and not all_in_sync(s.brokersState) then
    return result("Degraded", "Broker Config is out of Sync or CruiseControlState is not Ready")
  elseif s.brokersState and topic == "CruiseControlTopicReady" and s.state == "ClusterRunning" then
    return result("Healthy", "Kafka Brokers, CruiseControl and cluster are in Healthy State.")
  elseif s.brokersState and (topic == nil or topic == "CruiseControlTopicNotReady") and s.state == "ClusterReconciling" then
    return result("Progressing", "Kafka Cluster is Reconciling.")
  end
  return result("Progressing", "Waiting for KafkaCluster")
end
