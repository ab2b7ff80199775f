{apiVersion:"v1",kind:"List",items:[{apiVersion:"v1",kind:"Secret",metadata:{name:n}} for n in ["a","b"]]}
