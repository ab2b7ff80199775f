-- https://postgres-operator.readthedocs.io/
kinds.postgresql = by_state("PostgresClusterStatus", {
  Running = { "Healthy", itself },
  Creating = { "Progressing", itself },
  Updating = { "Progressing", itself },
}, "Waiting for postgres cluster status...", { "Degraded", itself })

-- https://github.com/mariadb-operator/mariadb-operator
local no_status = "No status info available"

-- The first condition that is False decides; what the last one that was looked at says is told.
local function none_false(tell, is_bad)
  return function(obj)
    if not (obj.status and obj.status.conditions) then
      return result("Progressing", no_status)
    end
    local message
    for _, c in ipairs(conditions(obj)) do
      message = tell(c)
      if c.status == "False" then
        return result(is_bad(c) and "Degraded" or "Progressing", message)
      end
    end
    return result("Healthy", message)
  end
end

local function reason_and_message(c)
  return (c.reason or "") .. " " .. (c.message or "")
end

kinds.MariaDB = none_false(function(c)
  return c.message
end, function(c)
  return c.reason == "Failed"
end)
kinds.Backup = none_false(reason_and_message, function(c)
  return c.reason == "CronJobScheduled" and c.message == "Failed"
end)

local function last_told(tell, judge)
  return function(obj)
    local message = no_status
    for _, c in ipairs(conditions(obj)) do
      message = tell(c)
      local status = judge(c)
      if status then
        return result(status, message)
      end
    end
    return result("Progressing", message)
  end
end

kinds.SqlJob = last_told(reason_and_message, function(c)
  local reasons = { JobComplete = "Healthy", JobFailed = "Degraded" }
  return c.status == "True" and reasons[c.reason]
end)
kinds.Database = last_told(function(c)
  return c.message
end, function(c)
  return c.type == "Ready" and (c.status == "True" and "Healthy" or "Degraded")
end)
kinds.Grant = kinds.Database
kinds.User = kinds.Database

-- https://docs.percona.com/percona-operators/
local function nodes(_, obj)
  return (obj.status.ready or 0) .. "/" .. (obj.status.size or 0) .. " node(s) are ready"
end

function kinds.PerconaServerMongoDB(obj)
  local states = {
    initializing = "Progressing", ready = "Healthy", error = "Degraded", stopping = "Progressing", paused = "Suspended",
  }
  if not obj.status then
    return result("Unknown", "Cluster status is unknown")
  end
  return result(states[obj.status.state or ""] or "Unknown", nodes(nil, obj))
end

local xtradb = by_state("state", {
  initializing = { "Progressing", nodes },
  ready = { "Healthy", nodes },
  paused = { "Unknown", "Cluster is paused" },
  stopping = { "Degraded", function(_, obj)
    return "Cluster is stopping (" .. nodes(nil, obj) .. ")"
  end },
  error = { "Degraded", function(_, obj)
    local m = obj.status.message
    return "Cluster is on error: " .. (type(m) == "table" and table.concat(m, ", ") or m or "")
  end },
}, nil, { "Unknown", "Cluster status is unknown" })

function kinds.PerconaXtraDBCluster(obj)
  if not (obj.status and obj.status.state) then
    return result("Unknown", "Cluster status is unknown")
  end
  return xtradb(obj)
end

-- https://docs.altinity.com/altinitykubernetesoperator/
local function clickhouse(name)
  return by_state("status", {
    Completed = { "Healthy", name .. " installation completed successfully" },
    InProgress = { "Progressing", name .. " installation in progress" },
  }, name .. " status not yet available", { "Degraded", function(value)
    return name .. " status: " .. value
  end })
end
kinds.ClickHouseInstallation = clickhouse("ClickHouse")
kinds.ClickHouseKeeperInstallation = clickhouse("ClickHouseKeeper")

-- https://atlasgo.io/integrations/kubernetes
local function atlas(field, busy)
  return function(obj)
    for _, c in ipairs(conditions(obj)) do
      if c.type == "Ready" then
        local status = c.status == "True" and "Healthy" or one_of(c[field], busy) and "Progressing" or "Degraded"
        return result(status, c.reason)
      end
    end
    return result("Progressing", "Waiting for Atlas Operator")
  end
end
kinds.AtlasMigration = atlas("reason", { "Reconciling" })
kinds.AtlasSchema = atlas("message", { "Reconciling", "GettingDevDB" })

-- https://apache.github.io/solr-operator/
function kinds.SolrCloud(obj)
  local solr = obj.status and obj.status.solrNodes
  for _, node in ipairs(solr or {}) do
    if not node.ready then
      return result("Progressing", "Not all replicas are ready")
    end
  end
  if not solr then
    return result("Progressing", "Waiting for solr to exist")
  end
  return result("Healthy", "Solr is ready")
end

-- https://github.com/pravega/zookeeper-operator
function kinds.ZookeeperCluster(obj)
  local s = obj.status
  if s and s.readyReplicas ~= 0 and s.readyReplicas == s.replicas then
    return result("Healthy", "All ZK Nodes have joined the ensemble")
  end
  return result("Progressing", "Waiting for ZK Nodes to join the ensemble")
end

-- https://www.elastic.co/docs/deploy-manage/deploy/cloud-on-k8s
function kinds.Beat(obj)
  local s = obj.status or {}
  if s.health == nil and s.expectedNodes == nil then
    return result("Unknown", "Elastic Beat status is unknown")
  elseif s.health == "red" then
    return result("Degraded", "Elastic Beat status is Red")
  elseif s.health == "green" then
    return result("Healthy", "Elastic Beat status is Green")
  elseif s.health == nil or (s.health == "yellow" and not (s.availableNodes and s.expectedNodes)) then
    return result("Progressing", "Elastic Beat phase is progressing")
  elseif s.health == "yellow" then
    return result("Progressing", "Elastic Beat status is deploying, there is " .. s.availableNodes .. " instance(s) on "
      .. s.expectedNodes .. " expected")
  end
  return result("Unknown", "Elastic Beat status is unknown")
end

kinds.Logstash = by_state("health", {
  green = { "Healthy", "Logstash status is Green" },
  yellow = { "Progressing", "Logstash status is Yellow" },
  red = { "Degraded", "Logstash status is Red" },
}, "Waiting for Logstash")

local colours = {
  green = { "Healthy", "Elasticsearch Cluster status is Green" },
  yellow = { "Progressing", "Elasticsearch Cluster status is Yellow. Check the status of indices, replicas and shards" },
  red = { "Degraded", "Elasticsearch Cluster status is Red. Check the status of indices, replicas and shards" },
}
local phases = { ApplyingChanges = "Progressing", MigratingData = "Progressing", Invalid = "Degraded" }

function kinds.Elasticsearch(obj)
  local s, wanted = obj.status or {}, 0
  for _, set in pairs(obj.spec.nodeSets or {}) do
    wanted = wanted + (set.count or 0)
  end
  if s.availableNodes and s.availableNodes < wanted then
    return result("Progressing", "The desired amount of availableNodes is " .. wanted .. " but the current amount is "
      .. s.availableNodes)
  elseif s.availableNodes == wanted and s.phase and s.health then
    local colour = s.phase == "Ready" and colours[s.health]
    if colour then
      return result(colour[1], colour[2])
    elseif phases[s.phase] then
      return result(phases[s.phase], "Elasticsearch phase is " .. s.phase)
    end
  end
  return result("Unknown", "Elasticsearch Cluster status is unknown")
end
