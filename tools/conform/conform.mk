# SPDX-License-Identifier: MIT
# conform.mk - mapwright-conform, a static program (but for sanitizers, which can't be); the
# Makefile includes it.
CONFORM_OBJ := $(call obj,$(wildcard tools/conform/*.c) tools/conform/static/main.c \
	tools/draw.c tools/layout.c tools/event.c)

.PHONY: conform
conform: $(B)/mapwright-conform
$(B)/mapwright-conform: $(CONFORM_OBJ) $(B)/libmapwright.a
	$(CC) $(EXTRA) $(if $(findstring -fsanitize,$(EXTRA)),,-static) -o $@ $(CONFORM_OBJ) $(B)/libmapwright.a

-include $(CONFORM_OBJ:.o=.d)
