# SPDX-License-Identifier: Apache-2.0
# The module `edgefm` in a MicroPython firmware of your own:
#
#     make BOARD=... USER_C_MODULES=/path/to/edgefm/firmware/micropython
#
# EDGEFM_DEFINES="-DEFM_WITH_DETECTION=0 ..." leaves out what no package needs.
EDGEFM_MODULE := $(USERMOD_DIR)
EDGEFM_NATIVE := $(abspath $(USERMOD_DIR)/../../../native)

SRC_USERMOD_C += $(wildcard $(EDGEFM_MODULE)/*.c)
SRC_USERMOD_LIB_C += $(wildcard $(addprefix $(EDGEFM_NATIVE)/src/,*.c */*.c */*/*.c))
CFLAGS_USERMOD += -I$(EDGEFM_NATIVE)/include

# Kernels and operators are compiled for speed whatever the port says; constants of the library are sums of float.
EDGEFM_OBJECTS := $(BUILD)/$(EDGEFM_NATIVE)
$(EDGEFM_OBJECTS)/%.o: CFLAGS += -std=gnu11 -ffp-contract=off $(EDGEFM_DEFINES) $(EDGEFM_WARNINGS)
$(EDGEFM_OBJECTS)/src/kernels/%.o $(EDGEFM_OBJECTS)/src/ops/%.o $(EDGEFM_OBJECTS)/src/codecs/%.o: CFLAGS += -O2
EDGEFM_WARNINGS := -Wno-double-promotion -Wno-float-conversion -Wno-unused-parameter
