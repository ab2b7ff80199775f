# Everything but main.c is the archive `repo`: cargocd-render links it too.
LIB_repo := $(filter-out $(d)/main.c $(d)/render_main.c,$(wildcard $(d)/*.c $(d)/*/*.c))
ARCHIVES += repo
LDLIBS_repo := -lgit2 -larchive -lyaml -ljsonnet -lnghttp2 -lm
PROGS += cargocd-repo-server
SRC_cargocd-repo-server := $(d)/main.c
ARCHIVES_cargocd-repo-server := repo proto common
LDLIBS_cargocd-repo-server := $(LDLIBS_all) $(LDLIBS_repo)
# What `cargocd render` becomes.
PROGS += cargocd-render
SRC_cargocd-render := $(d)/render_main.c
ARCHIVES_cargocd-render := repo proto common
LDLIBS_cargocd-render := $(LDLIBS_all) $(LDLIBS_repo)
# Servers and repositories for its unit tests.
LIB_repotest := $(wildcard tests/unit/repo-server/fixture/*.c)
ARCHIVES += repotest
UNIT_ARCHIVES_repo-server := repo repotest cmpserver proto
UNIT_LDLIBS_repo-server := $(LDLIBS_repo)
FUZZ_ARCHIVES_git_url := repo
FUZZ_ARCHIVES_git_modules := repo
FUZZ_LDLIBS_git_modules := $(LDLIBS_repo)
FUZZ_ARCHIVES_git_refs := repo
FUZZ_ARCHIVES_git_pktline := repo
FUZZ_ARCHIVES_jsonnet_imports := repo
FUZZ_ARCHIVES_trace := repo
FUZZ_ARCHIVES_cache_index := repo
FUZZ_ARCHIVES_parse := repo
FUZZ_ARCHIVES_chart_index := repo
FUZZ_LDLIBS_chart_index := $(LDLIBS_repo)
FUZZ_ARCHIVES_pack := repo
FUZZ_LDLIBS_pack := $(LDLIBS_repo)
FUZZ_ARCHIVES_chart_yaml := repo
FUZZ_LDLIBS_chart_yaml := $(LDLIBS_repo)
FUZZ_ARCHIVES_kustomization := repo
FUZZ_LDLIBS_kustomization := $(LDLIBS_repo)
FUZZ_ARCHIVES_git_lfs := repo
FUZZ_LDLIBS_git_lfs := $(LDLIBS_repo)
