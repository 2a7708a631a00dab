"""The models of Firefox: Marian's students with a recurrent decoder, in int8."""
