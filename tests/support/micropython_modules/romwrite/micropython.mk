# SPDX-License-Identifier: Apache-2.0
# QEMU's boards have ROMFS in RAM, but MicroPython's port for them cannot write it: with this it can, as real boards do.
SRC_USERMOD_LIB_C += $(USERMOD_DIR)/romwrite.c
LDFLAGS_USERMOD += --wrap=mp_vfs_rom_ioctl
