/** The names of the contenders in figures, tables and plots. */
export const GRANTD = 'grantd'
export const YARDSTICK = 'yardstick'
export const OIDC_PROVIDER = 'node-oidc-provider'
export const OIDC_PROVIDER_PLAIN = 'node-oidc-provider, driver as in its example'
export const BETTER_AUTH = 'better-auth'
export const BETTER_AUTH_IN_MEMORY = 'better-auth, arrays in memory'
