/**
 * Loaded before anything of tap's (.taprc). tap takes each module of a test by way of another thread, to know what the test covers,
 * and most files then load longer than they run. Coverage is not measured: the first loader, which is that one, is left out.
 */
const module_ = require('node:module')

const { register, registerHooks } = module_
const leaveOut = () => {
  Object.assign(module_, { register, registerHooks })
}
Object.assign(module_, { register: leaveOut, registerHooks: registerHooks && leaveOut })
