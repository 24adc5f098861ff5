/* SPDX-License-Identifier: Apache-2.0 */
/* The chip: clocks, pins, SDRAM and caches. Addresses are those of RM0433 and of the Armv7-M manual. */
#ifndef EFM_STM32H7_H
#define EFM_STM32H7_H

#include <stdint.h>

enum { EFM_H7_HZ = 400000000, EFM_H7_BUS_HZ = 100000000 }; /* the processor; USART1 */
enum {
    GPIO_A = 0x58020000,
    GPIO_BYTES = 0x400,
    GPIO_MODE = 0x00,
    GPIO_SPEED = 0x08,
    GPIO_PULL = 0x0C,
    GPIO_OUT = 0x14
};
enum { GPIO_FUNCTIONS = 0x20, GPIO_CLOCKS = 0x580244E0 };
enum { USART1_CONTROL = 0x40011000, USART1_DIVIDER = 0x4001100C, USART1_STATE = 0x4001101C, USART1_CLEAR = 0x40011020 };
enum { USART1_RECEIVE = 0x40011024, USART1_SEND = 0x40011028 };
enum { FLASH_ACCESS = 0x52002000, FLASH_KEY_2 = 0x52002104, FLASH_CONTROL_2 = 0x5200210C, FLASH_STATE_2 = 0x52002110 };
enum { FLASH_CLEAR_2 = 0x52002114 };

static inline uint32_t efm_h7_port(char port)
{
    return GPIO_A + (uint32_t)(port - 'A') * GPIO_BYTES;
}

/* 400 MHz from the internal oscillator; clocks of FMC and USART1. */
void efm_h7_clocks_start(void);

/* Pins of a port, as bits, get an alternate function. */
void efm_h7_pins(char port, uint32_t pins, uint32_t function);
void efm_h7_output(char port, uint32_t pin);

/* 32 MiB at 0xD0000000. */
void efm_h7_sdram_start(void);

/* Both caches; SDRAM becomes memory that may be cached and read at any address. */
void efm_h7_caches_start(uint32_t sdram);

/* Lets the data cache forget these bytes. */
void efm_h7_forget(const uint8_t *at, uint32_t bytes);

#endif
