# make images [REGISTRY=] [TAG=] [PUSH=1]: the container images, see images.sh.
images:
	$(Q)REGISTRY='$(REGISTRY)' TAG='$(TAG)' WITH_UI='$(WITH_UI)' PUSH='$(PUSH)' ./images.sh

.PHONY: images
