/** Puts a method decorator on a method, as the compiler would: the servers of the bench run as they are, without one. */
export function decorate(type, method, decorator) {
  decorator(type.prototype, method, Object.getOwnPropertyDescriptor(type.prototype, method));
}
