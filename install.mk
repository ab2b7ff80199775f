# make install DESTDIR= PREFIX=/usr/local: the programs, the chart and the documents. make deps: what building needs.
BINDIR   := $(DESTDIR)$(PREFIX)/bin
SHAREDIR := $(DESTDIR)$(PREFIX)/share/cargocd
DOCDIR   := $(DESTDIR)$(PREFIX)/share/doc/cargocd
# Tools for tests are not installed.
INSTALLED := $(filter-out kubesim,$(PROGS))

install: all
	install -d $(BINDIR) $(SHAREDIR) $(DOCDIR)
	$(foreach p,$(INSTALLED),install -m755 $(B)/bin/$(p) $(BINDIR)/$(p) &&) true
	$(if $(filter cargocd,$(INSTALLED)),ln -sf cargocd $(BINDIR)/argocd)
	$(if $(wildcard charts),cp -R charts $(SHAREDIR)/)
	cp -R README.md docs $(DOCDIR)/

# The dashboard's packages: only when its lock file is newer than what is there.
WEB_LOCK := $(wildcard api-server/web/package-lock.json)
deps:
	$(Q)./deps.sh build run test $(if $(filter-out 0,$(WITH_UI)),ui)
	$(if $(and $(WEB_LOCK),$(filter-out 0,$(WITH_UI))),$(Q)cd api-server/web && \
		{ [ node_modules/.package-lock.json -nt package-lock.json ] || \
		{ npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && touch node_modules/.package-lock.json; }; })
deps-cluster: deps
	$(Q)./deps.sh cluster tools
# helm and kubectl, where a machine has none: the repository server renders with them.
TOOLS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/cargocd/tools
export PATH := $(PATH):$(TOOLS)
deps-tools:
	$(Q)./deps.sh tools
	$(Q)./tools.sh '$(TOOLS)'

.PHONY: install deps deps-cluster deps-tools
